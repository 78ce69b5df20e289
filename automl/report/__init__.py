"""Numbers to one offline HTML page: `write_report(data, out_dir)`."""

from automl.report.data import ReportData, StudyFacts

__all__ = ["ReportData", "StudyFacts"]
