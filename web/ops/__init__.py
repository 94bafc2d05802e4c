"""What operators see and do beyond `web/api_operator.py`: further calls behind the operator token, and the console.

*schemas.py  bodies, by what they are about
new_sale.py  checking a seat plan, creating a sale, changing its times and limits
codes.py     access codes
sales.py     the limit, releasing a seat, reconcile
networks.py  places, visitors and seats by network
removals.py  putting a visitor out, keeping a visitor or a network out
sessions.py  who is signed in
circuits.py  payment circuits
refunds.py   the refund desk
comparison.py what differs from the providers' lists, and mending it
books.py     what was charged and given back, as CSV
inspect.py   a seat, a visitor, a reservation; the diagnosis
records.py   audit trail, dead letters
figures.py   everything that the live page shows, in one body
audit.py     what was done, written down
pages.py     the console's pages, signing in and out
picture.py   an event's picture
waiting_list.py how long it is, what is on offer, what came of it
look_ups.py  who looked at which buyer: once a minute and process
response_cache.py answers that every open console asks for, made once
"""
