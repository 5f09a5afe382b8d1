for w in "a" "a c" "n" "k" "z" "b"; do for l in "$@"; do
x=$(LD_LIBRARY_PATH=$l valgrind --tool=callgrind --callgrind-out-file=/dev/null ./cnt 20000 $w 2>&1 | sed -n 's/.*Collected : //p')
y=$(LD_LIBRARY_PATH=$l valgrind --tool=callgrind --callgrind-out-file=/dev/null ./cnt 10000 $w 2>&1 | sed -n 's/.*Collected : //p')
echo "$w $l $(echo "scale=2; ($x-$y)/40000" | bc)"; done; done
