"use strict";
// Shows status, views, wallets and newest events, read with the operator's token. Everything from the server is put
// into the page as text.
const KEY = "flexledger.operator";
const PAUSE = 3000;
const NEWEST = 25;
const part = (id) => document.getElementById(id);
let timer = 0;

class Refused extends Error {}

async function read(path) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(KEY)}` };
  const answer = await fetch(path, { headers, cache: "no-store" });
  if (answer.status === 401) throw new Refused();
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error(`${answer.status} ${problem.detail || problem.message || ""}`);
  }
  return answer.json();
}

function cell(tag, value, kind) {
  const made = document.createElement(tag);
  made.textContent = value;
  if (kind) made.className = kind;
  return made;
}

// Columns are [title, of a row, class]; a class may depend on the row.
function table(id, columns, rows, empty) {
  const head = document.createElement("tr");
  for (const [title, , kind] of columns) head.append(cell("th", title, typeof kind === "string" ? kind : ""));
  const lines = rows.map((row) => {
    const line = document.createElement("tr");
    for (const [, value, kind] of columns) line.append(cell("td", value(row), typeof kind === "function" ? kind(row) : kind));
    return line;
  });
  if (lines.length) part(id).replaceChildren(head, ...lines);
  else note(id, empty);
}

function note(id, text) {
  const line = document.createElement("tr");
  line.append(cell("td", text, "note"));
  part(id).replaceChildren(line);
}

function tiles(status) {
  const { ledger, writer, reconciled } = status;
  const number = (value) => Number(value).toLocaleString("en");
  const list = [
    ["Log position", number(ledger.position)],
    ["Writer", writer.writable === false ? "not writable" : "writable", writer.writable === false ? "bad" : "good"],
    ["Queue", number(writer.queue)],
    ["Epoch", number(writer.epoch)],
    ["Reconciled up to", reconciled && reconciled.at ? number(reconciled.position) : "not yet"],
    ["Newest event", when(ledger.recorded_at)],
    ["Chain hash", ledger.hash, "", "small"],
  ];
  part("tiles").replaceChildren(...list.map(([title, value, kind, size]) => {
    const tile = cell("div", "", `tile ${size || ""}`);
    tile.append(cell("span", title), cell("strong", value, kind));
    return tile;
  }));
}

function when(instant) {
  return instant ? instant.replace("T", " ").replace(/\.\d+Z$/, "Z") : "";
}

async function shown(id, load) {
  try {
    await load();
  } catch (error) {
    if (error instanceof Refused) throw error;
    note(id, `Not available: ${error.message}`);
  }
}

async function refresh() {
  const status = await read("/operator/v1/status");
  tiles(status);
  table("views", [
    ["View", (view) => view.name],
    ["Position", (view) => view.position, "number"],
    ["Behind", (view) => view.lag, "number"],
    ["State", (view) => view.stopped || "follows", (view) => (view.stopped ? "bad" : "good")],
  ], status.views, "No views.");
  const head = status.ledger.position;
  await shown("wallets", async () => {
    const { wallets } = await read(`/audit/v1/as-of/${head}/wallets`);
    table("wallets", [
      ["Application", (wallet) => wallet.application_name],
      ["Currency", (wallet) => wallet.currency],
      ["Balance", (wallet) => wallet.balance, "number"],
      ["Debited", (wallet) => wallet.total_debited, "number"],
      ["Credited", (wallet) => wallet.total_credited, "number"],
    ], wallets, "No wallet yet.");
  });
  await shown("events", async () => {
    const { events } = await read(`/audit/v1/events?from=${Math.max(1, head - NEWEST + 1)}&limit=${NEWEST}`);
    table("events", [
      ["Position", (event) => event.position, "number"],
      ["Recorded", (event) => when(event.recorded_at)],
      ["Kind", (event) => event.kind],
      ["Entity", (event) => event.entity],
      ["Actor", (event) => event.actor],
    ], events.reverse(), "The log is empty.");
  });
}

function door(open) {
  part("sign").hidden = open;
  part("room").hidden = !open;
  part("leave").hidden = !open;
}

function leave(reason) {
  clearTimeout(timer);
  sessionStorage.removeItem(KEY);
  door(false);
  part("said").textContent = "";
  part("refused").textContent = reason;
  part("refused").hidden = !reason;
  part("token").focus();
}

async function follow() {
  clearTimeout(timer);
  if (!sessionStorage.getItem(KEY)) return leave("");
  try {
    await refresh();
    door(true);
    part("said").textContent = `As of ${new Date().toLocaleTimeString()}`;
  } catch (error) {
    if (error instanceof Refused) return leave("This token was not accepted.");
    part("said").textContent = `Not reachable: ${error.message}`;
  }
  timer = setTimeout(follow, PAUSE);
}

part("form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, part("token").value.trim());
  part("token").value = "";
  follow();
});
part("leave").addEventListener("click", () => leave(""));
follow();
