"""The booking engine: no HTTP server and no browser in here. Reading this listing in order is reading the flow;
which of these may import which is written in pyproject.toml (import-linter).

venue/         what is sold: events, seat plans, prices
waiting_room/  (1) queue: join, place, admit, heartbeat, expire
seats/         (2) board, holds, the three guards, the seat lock
booking/       (3) reservation, checkout saga, PostgreSQL guard
payments/      (4) providers over HTTP, circuit breaker, choice of provider
messaging/     (5) outbox, relay, Kafka or local bus, consumers
notifications/ (6) e-mail, Slack; when something is an alert
waiting_list/  (7) seats given back: wishes and offers
upkeep/        periodic jobs, consistency, limits
figures/       what operators look at, of a sale and of the processes
diagnosis/     "I can't book", step by step
process/       the ground floor: tasks, jobs, leases, calls to the stores

settings/ errors.py clock.py keys.py   what everything uses; settings_group.py what settings are declared with
runtime/       the composition root: `async with open_runtime(settings, engines) as runtime:`
embedded/      PostgreSQL and Valkey as child processes when no URL is configured
migrations/    the schema, step by step
locale/        every text, by language
database.py    opening PostgreSQL
schema_postgres.py   the schema's state, and who may use it; signing_key_postgres.py one installation signs with one key
audit_postgres.py    who did what to the sale; operator_sessions_postgres.py who is signed in to the console
languages.py         texts by language; currency.py amounts; seat_words.py what a row or a seat is called
sentences.py         what operators are told, by key and arguments
data_folder.py       embedded engines, secrets, e-mail files; secrets.py the key and the operator token
logs.py              log lines; visitor_id.py what a visitor's id looks like; settings_docs.py docs/settings.md
"""
