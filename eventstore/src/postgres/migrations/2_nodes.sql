ALTER TABLE flexledger_log.ledger
    -- What all nodes' platform key is told by; the first node to start writes it. It opens nothing.
    ADD COLUMN platform_key BYTEA,
    -- Set while an import has stored a part only: no node may lead then, not even after the importer was killed.
    ADD COLUMN unfinished BOOLEAN NOT NULL DEFAULT false;
