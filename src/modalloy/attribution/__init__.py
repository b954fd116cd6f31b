"""Why a run answers a row as it does: what each column and each part of a cell adds."""
