copy
t
to/**/program 'id'