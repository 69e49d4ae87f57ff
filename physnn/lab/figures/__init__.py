"""The look of the book, and the kinds of figure that chapters share."""
