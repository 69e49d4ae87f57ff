"""The same numbers, faster: closed forms and kernels, and :mod:`physnn.fast.when`, which says where they apply."""
