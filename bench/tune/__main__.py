"""`python -m bench.tune`: lets waiting threads rest before torch is imported, then runs."""

from modalloy.machine.limits import rest_soon

if __name__ == "__main__":
    rest_soon()
    from bench.tune.equal_minutes import main

    main()
