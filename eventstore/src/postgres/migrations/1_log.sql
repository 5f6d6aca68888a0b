-- The events. No other index: an append must stay cheap, and everything is found by its position.
CREATE TABLE flexledger_log.events (
    position BIGINT PRIMARY KEY,
    -- Canonical bytes. Read them with convert_from(body, 'UTF8').
    body BYTEA NOT NULL,
    hash BYTEA NOT NULL
);

-- Where the log ends and which term may write: the row that every append locks first.
CREATE TABLE flexledger_log.ledger (
    id SMALLINT PRIMARY KEY CHECK (id = 1),
    position BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    term BIGINT NOT NULL
);
INSERT INTO flexledger_log.ledger (id, position, hash, term) VALUES (1, 0, '\x', 0);

-- Who leads and until when. Apart from the row above, so that renewing never waits for an append.
CREATE TABLE flexledger_log.lease (
    id SMALLINT PRIMARY KEY CHECK (id = 1),
    term BIGINT NOT NULL,
    node TEXT NOT NULL,
    address TEXT,
    ends_at TIMESTAMPTZ NOT NULL
);
INSERT INTO flexledger_log.lease (id, term, node, ends_at) VALUES (1, 0, '', '-infinity');

-- Sealed keys of personal texts, one per subject.
CREATE TABLE flexledger_log.subject_keys (
    subject BYTEA PRIMARY KEY,
    sealed BYTEA NOT NULL
);
