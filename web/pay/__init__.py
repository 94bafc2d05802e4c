"""The pages between the buyer's order and the provider's window, and the way back (P1 to P3).

None of them needs a cookie: a payment comes back in another browser, or by a cross-site POST. Who has an address with
its signature (`core/payments/links.py`) may do what the address says, and nothing else.

    routes.py    every route, and the check of `s`
    page.py      the payment page: a document with a policy of its own, or its contents as JSON
    steps.py     the next attempt, giving the seats back, the window's return, the window closed
    result.py    how it stands, for whoever came back
    webhooks.py  the provider's hints
    policy.py    the Content-Security-Policy of a provider's window
    visit.py     a request that came by a signed address
"""
