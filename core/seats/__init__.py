"""Seats, step (2) of the flow: who holds what, on a board that every browser sees.

board.py           the board: one byte a seat, a version that tells a copy when it has missed something
basket.py          a visitor's held seats, under one fence and one deadline
seats.py           everything that can be done to seats; puts a lost board back
guard.py           the interface of the three guards; guard_atomic_redis.py (default), guard_lock_redis.py,
                   guard_optimistic_postgres.py
seat_lock_redis.py the seat lock across processes; lock_times.py how long to wait and lease
board_redis.py     reading the board, building it anew from PostgreSQL
scripts_redis.py   the Lua scripts of lua/, with their keys and typed errors
"""
