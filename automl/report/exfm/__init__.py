"""An ExFM run as one offline HTML page: `write_exfm_report(result, folder)`; in the terminal: `exfm_lines(result)`."""

from automl.report.exfm.lines import exfm_lines
from automl.report.exfm.page import write_exfm_report

__all__ = ["exfm_lines", "write_exfm_report"]
