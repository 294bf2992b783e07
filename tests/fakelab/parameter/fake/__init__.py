"""Parameter files of the fake tracker."""
