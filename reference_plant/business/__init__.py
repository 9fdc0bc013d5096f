"""The reference plant's business systems: ERP, MES and WMS in one real PostgreSQL.

A pure, seeded history of events (`story.events`) is applied to the database as plant time passes
(`process.main`). What the tables must hold at a moment is computed from the same events (`events.state_at`).
"""
