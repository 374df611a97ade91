"""What `manage.py doctor` looks at: one small check each, which says what to mend and how.

Checks look and never change anything, except a mail to whoever asked for one. What Django's own
deploy checks know is asked of them.
"""
