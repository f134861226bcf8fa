"""Guest dosing: from asking for a place to the permit's end. One verb a file; every change of state is `steps.take`."""
