prompt=$1; script=$2; shift 2;
if [ "$(id -u)" = 0 ]; then exec sh -c "$script" root "$@"; fi;
command -v sudo >/dev/null 2>&1 || { echo "garboard: sudo-absent"; exit 0; };
LC_ALL=C; export LC_ALL;
if [ -n "$prompt" ]; then exec sudo -k -S -p "$prompt" sh -c "$script" sudo "$@"; fi;
exec sudo -k -n sh -c "$script" sudo "$@";
