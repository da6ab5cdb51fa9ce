"""The tests of Regulars."""
