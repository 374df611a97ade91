"""Tell people of notices by mail: when one opens, when it closes, and once a day what is open.

A mail is a row before it is a mail. `writing` makes rows in the transaction of the change they
tell of, so none is lost and none tells of what did not happen; `sending` takes them to the mail
server later, as often as it needs (semantics.md 21).
"""
