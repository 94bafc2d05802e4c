"""NHN KCP (https://developer.kcp.co.kr): `adapter_http.py` the calls, `codes.py` what `res_cd` proves, `window.py` the
window's fields and what comes back from it, `signature.py` the proof of who calls."""
