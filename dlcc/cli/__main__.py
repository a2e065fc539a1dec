from dlcc.cli import main

main()
