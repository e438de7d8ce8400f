# What `make debug` gives gdb to begin with, behind the symbols and the connection: stops at the kernel's first line, says
# what there is, and knows the words that the kernel's own structure suggests.

define faults
  break page_fault
  commands
    silent
    printf "page fault at %#lx\n", $cr2
    backtrace
  end
end
document faults
Stops at each page fault from now on, with its address and a backtrace.
end

# A backtrace goes on below what Rust calls main.
set backtrace past-main on
tbreak kernel_main
continue
echo \nThe kernel is loaded and about to run. Some words beyond gdb's own (help WORD says more):\n
echo \  program\tgo on to the program's main\n
echo \  faults\tstop at each page fault from now on\n
echo Functions go by their plain names (break page_fault), backtraces lead from the kernel into\n
echo the program, Ctrl-C stops the machine, and kill ends it.\n\n
