"""The program that lives inside a workspace. Standard library only, any Python from 3.9.

It is copied or started as a folder (`python -I <folder> --dir <state dir>`), so nothing of the
server may enter: no Django, no sibling package, no third-party import.
"""
