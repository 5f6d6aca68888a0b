"use strict";
// Search, opening of linked calls, and copying of command lines.
const search = document.getElementById("search");
const calls = [...document.querySelectorAll(".call")];
const links = new Map([...document.querySelectorAll("#nav a")].map((link) => [link.dataset.id, link]));
const sections = [...document.querySelectorAll("#nav section, section.group")];
const none = document.getElementById("none");

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const call of calls) {
    const hit = words.every((word) => call.dataset.words.includes(word) || call.textContent.toLowerCase().includes(word));
    call.hidden = !hit;
    const link = links.get(call.id);
    if (link) link.hidden = !hit;
    if (hit) found += 1;
  }
  for (const section of sections) {
    const item = section.classList.contains("group") ? ".call" : "a";
    section.hidden = !section.querySelector(`${item}:not([hidden])`);
  }
  none.hidden = found > 0;
}

function openLinked() {
  const call = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!call || !call.classList.contains("call")) return;
  call.hidden = false;
  call.open = true;
  call.scrollIntoView({ block: "start" });
}

search.addEventListener("input", filter);
window.addEventListener("hashchange", openLinked);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search) {
    event.preventDefault();
    search.focus();
  }
});
document.addEventListener("click", async (event) => {
  const button = event.target.closest(".copy");
  if (!button) return;
  const text = button.parentElement.querySelector("pre").textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select and copy";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});
openLinked();
