"""Seats, step (2) of the flow: who holds what, on a board that every browser sees.

board.py           the board: one byte a seat, a version that tells a copy when it has missed something
basket.py          a visitor's held seats, under one fence and one deadline
seats.py           everything that can be done to seats; puts a lost board back
guard.py           the interface of the three guards; guard_atomic_redis.py (default), guard_lock_redis.py,
                   guard_optimistic_postgres.py
seat_lock_redis.py the seat lock across processes; lock_times.py how long to wait and lease
board_redis.py     reading the board, building it anew from PostgreSQL
scripts_redis.py   the Lua scripts of lua/, with their keys and typed errors
hold_scripts_redis.py the scripts that give seats to a visitor; calls.py tells a repeated call
holder_redis.py    who holds one seat
best_seats.py      the best seats together (pure); best_seats_table.py the hall as lua/best.lua reads it
halls.py           both, made once a process
hoarding.py        what may be held without being bought (pure)
known_taken.py     seats that this process knows are taken
"""
