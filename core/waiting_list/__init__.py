"""The waiting list: seats that are given back go to who waits for them before they are on the map again (F10, F5).

offering.py             which wish gets which seats
wish.py                 a place in the list, and the offer that it may have
wishes_postgres.py      join, look, leave, pass
rounds_postgres.py      one round a second: offers that end, offers that begin, seats that go back on the map
offer_mail.py           what the e-mail about an offer says
offer_mails_postgres.py which offers nobody was written to about yet
waiting_list.py         what a visitor can do with it
news_redis.py           tells open pages that their place has changed

A seat that is given back is RETURNED in PostgreSQL and looks sold on every screen, in Redis as well, until it is free
again or bought: nobody who watches can tell, and no script can hold it. Its row in `returned_seats` says what it waits
for. Redis knows nothing of the list, so its loss loses nothing of it.
"""
