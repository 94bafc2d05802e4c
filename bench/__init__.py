"""Benchmarks: each figure beside its limit on this machine, measured in the same run. `python -m bench --help`.

run.py            which are run, on what, and what is printed
measure.py        a figure, its limit and their ratio; rounds that alternate
stores.py         stores of the run's own, and what is prepared on them
fan_out.py        one message to 1,000 live channels, against bare transport writes (sink.py takes the bytes)
holds.py          holds through `Seats.hold`, against the same script called by a bare client (resp.py)
reservations.py   checkout's `begin`, against the bare statement through asyncpg
events.py         relay and consumer, against a bare producer and consumer on a real Kafka
memory.py         what a waiting browser costs a serving process
guards.py         the three seat guards side by side (S2, S4)

A ratio says what the product adds to what cannot be avoided; it holds on a busy machine, where figures do not.
"""
