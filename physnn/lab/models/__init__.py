"""Networks, layers and losses, and the recipe that names them."""
