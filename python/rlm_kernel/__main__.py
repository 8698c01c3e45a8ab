from rlm_kernel.start import main

main()
