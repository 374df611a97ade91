"""What every resource of the API shares: how input is read, who may, pages and preconditions."""
