"""Benchmarks: each figure beside its limit on this machine, measured in the same run. `python -m bench --help`.

run.py            which are run, on what, and what is printed; report.py writes it into docs,
                  beside what was before (before.json)
compare.py        two trees, or two interpreters, served at once and measured in turns
measure.py        a figure, its limit and their ratio; rounds that alternate
stores.py         stores of the run's own, and what is prepared on them
load.py           the load generator: a process with raw sockets; load_arrivals.py, load_purchase.py: more of its work
served.py         `onsale serve` and what each of its parts spends; bare.py is what cannot be avoided
served_row.py     a row of the two: prepared, measured in turns
public_path.py    a visitor's calls over HTTP and the channel; 1,000 on one seat
arrival.py        from a hold call to another browser, at so many a second
bought.py         purchases over HTTP, and what each part spends on one
watched.py        a thousand browsers look: a hold call meanwhile, and what a change costs to deliver
sizes.py          plan and board of a hall of 60,000 seats, in bytes
start.py          how soon a shop is there, and the memory of all its processes
storm.py          5,000 channels that come back at once
offers.py         the waiting list: joining, and a round of offers
fan_out.py        one message to 1,000 live channels, against bare transport writes (sink.py takes the bytes)
holds.py          holds through `Seats.hold`, against the same script called by a bare client (resp.py)
reservations.py   checkout's `begin`, against the bare statement through asyncpg
events.py         relay and consumer, against a bare producer and consumer on a real Kafka
purchases.py      checkout without HTTP, against its five bare statements
processes.py      two web processes beside one: holds, and changes delivered
memory.py         what a waiting browser costs a serving process
scale.py          a million in one queue, 20,000 channels of one process; capacity.py goes on from there by arithmetic
subscribers.py    a change published to so many web processes
guards.py         the three seat guards side by side (S2, S4)

A ratio says what the product adds to what cannot be avoided; it holds on a busy machine, where figures do not.
"""
