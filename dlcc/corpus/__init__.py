"""Where the library's runs come from: settings drawn, trained, judged against the truth."""
