"""How many prebuilds should be warm, who gets them, and the faces of the product."""
