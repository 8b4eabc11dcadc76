"""The real parts that tests, benchmarks and the verifier run against. A missing part is an error that says so."""
