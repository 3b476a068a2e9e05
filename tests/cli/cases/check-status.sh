# SPDX-License-Identifier: MIT
# A letter of the argument each: e an error, w a warning, l an error in a lock file, p a power failure, f a file
# that was watched, a digit the program's status.
verdict() { nvrtl check "$@" | tail -n 2; }
verdict -- program f
verdict -- program f3
verdict -- program fw
verdict -- program fw7
verdict -- program fe
verdict -- program few5
verdict -- program e
verdict --error-exitcode=42 -- program fe
verdict --error-exitcode=0 -- program fe3
verdict -- program fl
verdict -- program p9
verdict -- program ''
verdict --format=json --output=report -- program ''
verdict --output=report -- program ''
verdict -- missing
