"""The verb that hardens a run: it learns on so that answers hold where cells are attacked or lie."""
