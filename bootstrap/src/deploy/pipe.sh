echo "garboard: open";
exec "$@";
