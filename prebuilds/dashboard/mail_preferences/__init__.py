"""Which mails one gets: one's own choice, and the page behind the link to unsubscribe."""
