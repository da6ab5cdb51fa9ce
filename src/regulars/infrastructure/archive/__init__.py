"""The archive: a folder beside the database that holds what a lost database could be made from again."""
