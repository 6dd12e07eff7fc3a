"""What several families are made of; nothing in here is a family."""
