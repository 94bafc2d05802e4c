"""What operators see and do beyond `web/api_operator.py`: further calls behind the operator token, and the console.

schemas.py   bodies; sale_schemas.py those of new_sale.py
new_sale.py  checking a seat plan, creating a sale, changing its times and limits
sales.py     the limit, releasing a seat, reconcile
removals.py  putting a visitor out, keeping a visitor or a network out
sessions.py  who is signed in
circuits.py  payment circuits
inspect.py   a seat, a visitor, a reservation; the diagnosis
records.py   audit trail, dead letters
figures.py   everything that the live page shows, in one body
audit.py     what was done, written down
pages.py     the console's pages, signing in and out
"""
