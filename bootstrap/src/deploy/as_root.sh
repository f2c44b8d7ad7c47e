script=$1; shift;
if [ "$(id -u)" = 0 ]; then exec sh -c "$script" root "$@"; fi;
command -v sudo >/dev/null 2>&1 || { echo "garboard: sudo-absent"; exit 0; };
said=$(LC_ALL=C sudo -n true 2>&1) || { echo "garboard: sudo-refused $(echo "$said" | tr -s "[:space:]" " ")"; exit 0; };
exec sudo -n sh -c "$script" sudo "$@";
