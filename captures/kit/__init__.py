"""Building blocks for making the captures: capture files, packets, a sealed network, certificates."""
