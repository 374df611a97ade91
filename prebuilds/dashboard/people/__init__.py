"""People: who there is, what they may do and where; made, renamed, suspended and let in again."""
