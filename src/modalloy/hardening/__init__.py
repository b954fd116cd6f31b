"""The verb that hardens a run: it learns on while cells are attacked, worn or wrong."""
