"""What the vendors' servers have in common: a socket, a store, rate windows, mishaps on purpose, posts to a callback.

Plan: a vendor is a `Vendor` record, most of it a table of endpoints. `app.App` takes a request through authorization,
rate windows and the endpoint's function, in one transaction of the store, and plays the mishap that the seed drew.
Promise: nothing in here knows a vendor's field; a vendor's answers, also those for refusals, come from its own folder.
"""
