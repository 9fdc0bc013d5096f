"""Reports out: rendering, transports, outbox, ledger, receipts and proofs."""
