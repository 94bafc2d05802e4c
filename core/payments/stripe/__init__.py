"""Stripe (https://docs.stripe.com) with manual capture: `adapter_http.py` the calls through its SDK, `objects.py` what
its Checkout Sessions and PaymentIntents prove, `codes.py` what its errors do."""
