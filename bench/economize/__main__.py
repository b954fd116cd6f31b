"""`python -m bench.economize`: lets waiting threads rest before torch is imported, then runs."""

from modalloy.machine.limits import rest_soon

if __name__ == "__main__":
    rest_soon()
    from bench.economize.saving import main

    main()
