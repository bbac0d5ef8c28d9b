package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// errFailed means that a check failed and that the output already says why.
var errFailed = errors.New("the check failed")

// main exits with status 1 if a report fails, for whatever reason.
func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "source:", err)
		os.Exit(1)
	}
}

// run executes one report in the current directory, which is the root of the tree. It
// writes the help of the flags to out too.
func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("name a report: measures, imports or words")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(out)
	report, ok := map[string]func(*flag.FlagSet, []string, io.Writer) error{
		"measures": runMeasures, "imports": runImports, "words": runWords,
	}[args[0]]
	if !ok {
		return fmt.Errorf("%s is not a report: use measures, imports or words", args[0])
	}
	return report(flags, args[1:], out)
}

// runMeasures reads the flags of the table of measures. The arguments after the flags are
// directories of packages; without any, the table has all packages.
func runMeasures(flags *flag.FlagSet, args []string, out io.Writer) error {
	o := measureOptions{root: "."}
	flags.StringVar(&o.before, "before", "", "print the measures of this commit too, beside those of the tree")
	flags.BoolVar(&o.coverage, "coverage", false, "run the tests and print the share of statements that they execute")
	flags.BoolVar(&o.check, "check", false, "fail if a package exceeds a limit")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o.packages = flags.Args()
	return reportMeasures(o, out)
}

// runImports reads the flags of the graph of imports.
func runImports(flags *flag.FlagSet, args []string, out io.Writer) error {
	before := flags.String("before", "", "print the graph of this commit too")
	layers := flags.String("layers", "deploy/layers.list", "the file with the layers")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return reportImports(".", *before, *layers, out)
}

// runWords reads the flags of the search for old words.
func runWords(flags *flag.FlagSet, args []string, out io.Writer) error {
	list := flags.Bool("list", false, "print every identifier")
	words := flags.String("words", "deploy/words.list", "the file with the old words")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return reportWords(".", *words, *list, out)
}
