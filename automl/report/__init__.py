"""Numbers to one offline HTML page each: of a study (report.html) and of an ExFM run (exfm.html)."""
