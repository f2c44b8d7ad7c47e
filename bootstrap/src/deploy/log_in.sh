umask 077; LC_ALL=C; export LC_ALL;
folder=$1; agents=$2; run=$3; owner=$4;
if [ "$0" = sudo ]; then
input=; output=; set -f;
for word in $(sudo -l -U "$SUDO_USER" 2>/dev/null </dev/null | tr , " "); do
case $word in
log_input|log_stdin|LOG_INPUT:) input=$word;; ?log_input|?log_stdin|NOLOG_INPUT:) input=;;
log_output|log_stdout|LOG_OUTPUT:) output=$word;; ?log_output|?log_stdout|NOLOG_OUTPUT:) output=;;
esac;
done;
if [ -n "$input$output" ]; then echo "garboard: recorded $input $output"; exit 0; fi;
set +f;
fi;
machine=$(uname -m); digest=;
for agent in $agents; do case $agent in "$machine"=*) digest=${agent#*=};; esac; done;
agent=$folder/agent-$digest;
if [ -n "$digest" ] && [ -f "$agent" ] && [ -x "$agent" ]; then
found=$(sha256sum "$agent");
if [ "${found%% *}" = "$digest" ]; then
echo "garboard: ready $0 $machine";
exec "$agent" connect --run "$run" --owner "$owner";
fi;
fi;
echo "garboard: absent $0 $machine";
